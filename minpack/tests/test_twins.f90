! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Scalar parts of the kernel and their twins in the lanes, given the same random numbers: rows, damping, steps in a
!> box.
program test_twins
    use kinds, only: wp, eps, long
    use solver_options, only: loss_linear, loss_poisson
    use rows, only: cost_norm, fill_rows, scale_rows
    use lm_parameter, only: lmpar
    use active, only: find_held, bounded_step, hesitate
    use lane_widths_baseline, only: width
    use lane_kinds, only: lane_rows, scalars, vectors, of_par, of_hesitant, of_x, of_trial, of_diag, of_lower, &
        of_upper, &
        of_held, of_hits, of_reached
    use lane_rows_baseline, only: make_rows
    use lane_damping_baseline, only: find_steps
    use lane_active_baseline, only: hold, keep_inside
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    integer :: loss, n

    call random_init(repeatable=.true., image_distinct=.false.)
    do loss = loss_linear, loss_poisson
        call check_rows(loss, .false.)
        call check_rows(loss, .true.)
    end do
    do n = 1, 6
        call check_damping(n)
        call check_box(n)
    end do
    call finish()

contains

    !> Rows and costs: sums in another order, and products that may be contracted.
    subroutine check_rows(loss, weighted)
        integer, intent(in) :: loss
        logical, intent(in) :: weighted

        integer, parameter :: n = 3, m = 29
        real(wp), parameter :: f_scale = 0.7_wp
        real(wp) :: given(width, lane_rows, n + 1), block(width, lane_rows, n + 1), y(width, lane_rows)
        real(wp) :: weights(width, lane_rows), costs(width)
        real(wp) :: own(m, n + 1), slopes(m, n), values(m), h(n), norm, worst
        integer :: l, j

        call random_number(block)
        call random_number(y)
        call random_number(weights)
        block = 4.0_wp*block
        y = 4.0_wp*y
        if (loss == loss_poisson) then
            y = real(int(y), wp)
            weights = 1.0_wp
        end if
        weights(:, 3:m:7) = 0.0_wp
        worst = 0.0_wp
        h = 0.0_wp
        given = block
        costs = 0.0_wp
        call make_rows(m, n, loss, f_scale, y, weighted, weights, block, costs)
        do l = 1, width
            values = given(l, 1:m, n + 1)
            do j = 1, n
                slopes(:, j) = given(l, 1:m, j)
            end do
            call fill_rows(m, n, m, values, y(l, 1:m), weighted, weights(l, 1:m), loss, slopes, 1_long, int(m, long), &
                           .false., h, own)
            norm = cost_norm(m, own(:, n + 1), loss, f_scale, y(l, 1:m), weighted, weights(l, 1:m))
            call scale_rows(m, n, m, loss, f_scale, y(l, 1:m), weighted, weights(l, 1:m), own)
            worst = max(worst, maxval(abs(block(l, 1:m, :) - own)), abs(sqrt(costs(l)) - norm)/norm)
        end do
        call check_at_most(worst, 100.0_wp*eps, "rows of loss "//digits_of(loss))
    end subroutine check_rows

    !> Triangles whose diagonals are far from zero.
    subroutine make_triangles(n, head)
        integer, intent(in) :: n
        real(wp), intent(out) :: head(width, n, n + 1)

        integer :: j

        call random_number(head)
        head = head - 0.5_wp
        do j = 1, n
            head(:, j + 1:, j) = 0.0_wp
            head(:, j, j) = head(:, j, j) + sign(0.7_wp, head(:, j, j))
        end do
    end subroutine make_triangles

    !> Damping parameter and step. Iterates of the search agree to rounding, enlarged by conditions of about a hundred.
    subroutine check_damping(n)
        integer, intent(in) :: n

        real(wp) :: head(width, n, n + 1), diag(width, n), delta(width), par(width), running(width), z(width, n)
        real(wp) :: dznorm(width), row(width, n), w(width, n), triangle(width, n, n)
        real(wp) :: own(n), own_par, s(n, n), wa1(n), wa2(n), wa3(n), worst
        integer :: ipvt(n), l, j

        call make_triangles(n, head)
        call random_number(diag)
        call random_number(delta)
        diag = diag + 0.1_wp
        par = 0.0_wp
        running = 1.0_wp
        call find_steps(n, head, diag**2, running, delta, par, z, dznorm, row, w, triangle)
        ipvt = [(j, j = 1, n)]
        worst = 0.0_wp
        do l = 1, width
            own_par = 0.0_wp
            call lmpar(n, head(l, :, 1:n), ipvt, diag(l, :), head(l, :, n + 1), delta(l), own_par, own, s, wa1, wa2, &
                       wa3)
            worst = max(worst, maxval(abs(z(l, :) - own)), abs(par(l) - own_par)/(1.0_wp + own_par))
        end do
        call check_at_most(worst, 1.0e4_wp*eps, "steps of "//digits_of(n)//" parameters")
    end subroutine check_damping

    !> Steps in a box: what is held, what is reached, and where the next point is.
    subroutine check_box(n)
        integer, intent(in) :: n

        integer, parameter :: rounds = 200
        real(wp) :: head(width, n, n + 1), reduced(width, n, n + 1), s(width, scalars), v(width, n, vectors)
        real(wp) :: scale(width, n), delta(width), running(width), z(width, n), pnorm(width), row(width, n), w(width, n)
        real(wp) :: triangle(width, n, n), worst
        integer :: round, different
        logical :: any_held, touching

        touching = .true.
        worst = 0.0_wp
        different = 0
        do round = 1, rounds
            call make_triangles(n, head)
            call random_number(s)
            call random_number(v)
            call random_number(delta)
            v(:, :, of_lower) = 0.2_wp
            v(:, :, of_upper) = 0.8_wp
            where (v(:, :, of_x) < 0.2_wp) v(:, :, of_x) = 0.2_wp
            where (v(:, :, of_x) > 0.8_wp) v(:, :, of_x) = 0.8_wp
            v(:, :, of_hits) = real(int(4.0_wp*v(:, :, of_hits)), wp)
            if (n > 2) v(:, 2, of_upper) = v(:, 2, of_lower)
            if (n > 2) v(:, 2, of_x) = v(:, 2, of_lower)
            s(:, of_par) = 0.0_wp
            running = 1.0_wp
            call hold(n, head, v, reduced, any_held)
            if (.not. any_held) reduced = head
            scale = merge(1.0_wp, v(:, :, of_diag), v(:, :, of_held) == 1.0_wp)
            call find_steps(n, reduced, scale, running, delta, s(:, of_par), z, pnorm, row, w, triangle)
            v(:, :, of_trial) = v(:, :, of_x) - z
            call keep_inside(n, head, running, touching, s, v, z, pnorm)
            call compare_boxes(n, head, s, v, delta, worst, different)
        end do
        ! A step may end on a bound to rounding: then one twin may say that it reaches the bound, the other that it does
        ! not quite. Numbers like that are rare.
        call check(different <= 1, "twins agree on what is held and reached, "//digits_of(n)//" parameters")
        call check_at_most(worst, 1.0e6_wp*eps, "steps in a box, "//digits_of(n)//" parameters")
        call check(all(v(:, :, of_trial) >= v(:, :, of_lower) .and. v(:, :, of_trial) <= v(:, :, of_upper)), &
                   "steps stay in the box")
    end subroutine check_box

    subroutine compare_boxes(n, head, s, v, delta, worst, different)
        integer, intent(in) :: n
        real(wp), intent(in) :: head(width, n, n + 1), s(width, scalars), v(width, n, vectors), delta(width)
        real(wp), intent(inout) :: worst
        integer, intent(inout) :: different

        real(wp) :: gradient(n), step(n), trial(n), rows(n*(n + 1)), free(n*n), damped(n*(n + 1)), par, whole(n), &
            there(n)
        real(wp) :: bent(n)
        logical :: held(n), reached(n), hesitant
        integer :: ipvt(n), l, j

        ipvt = [(j, j = 1, n)]
        do l = 1, width
            do j = 1, n
                gradient(j) = sum(head(l, 1:j, j)*head(l, 1:j, n + 1))
            end do
            call find_held(n, v(l, :, of_x), v(l, :, of_lower), v(l, :, of_upper), gradient, held)
            par = 0.0_wp
            call bounded_step(n, v(l, :, of_x), v(l, :, of_lower), v(l, :, of_upper), held, head(l, :, 1:n), &
                              head(l, :, n + 1), ipvt, sqrt(v(l, :, of_diag)), delta(l), par, step, trial, reached, &
                              rows, free, damped)
            whole = step
            there = trial
            hesitant = .false.
            if (any(reached)) call hesitate(n, v(l, :, of_x), reached, v(l, :, of_hits), step, trial, hesitant)
            if (hesitant) then
                bent = matmul(head(l, :, 1:n), step)
                if (.not. sum(bent*(2.0_wp*head(l, :, n + 1) + bent)) < 0.0_wp) then
                    trial = there
                    hesitant = .false.
                end if
            end if
            if (any(held .neqv. v(l, :, of_held) == 1.0_wp) .or. &
                any(reached .neqv. v(l, :, of_reached) == 1.0_wp) .or. &
                (hesitant .neqv. s(l, of_hesitant) == 1.0_wp)) then
                different = different + 1
                cycle
            end if
            worst = max(worst, maxval(abs(trial - v(l, :, of_trial))))
        end do
    end subroutine compare_boxes

end program test_twins
