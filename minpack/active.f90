! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Bounds: which parameters are held, and the step that follows the bounds it meets.
!>
!> All of it acts on the triangle, between a factored Jacobian and the next point to try. A parameter is on a bound if
!> it was assigned the bound: comparisons are exact. Those with lower == upper are fixed. No NaN becomes a bound: every
!> comparison with it is false.
!>
!> Reference: J. J. Moré, LNM 630 (1978); P. B. Stark, R. L. Parker, Bounded-variable least squares, Comput. Stat. 10
!> (1995); C.-J. Lin, J. J. Moré, Newton's method for large bound-constrained optimization problems, SIAM J. Optim. 9
!> (1999).
module active
    use kinds, only: wp
    use differences, only: difference_step
    use damped_solve, only: qrsolv
    use lm_parameter, only: lmpar
    use pivoted_qr, only: factor_rows
    implicit none (type, external)
    private
    public :: is_held, find_held, meets_bounds, bounded_step, hesitate, count_hits, box_difference, difference_in_box

contains

    !> Whether a parameter stays where it is: fixed, or on a bound that the gradient pushes it against.
    elemental function is_held(x, lower, upper, gradient) result(held)
        real(wp), intent(in) :: x, lower, upper
        real(wp), intent(in) :: gradient        !! of any scale
        logical :: held

        held = lower == upper .or. (x == lower .and. gradient > 0.0_wp) .or. (x == upper .and. gradient < 0.0_wp)
    end function is_held

    !> Whether a point lies on a bound or beyond. While neither a point nor the one to try does, all steps are those of
    !> fits without bounds.
    pure function meets_bounds(n, x, lower, upper) result(meets)
        integer, intent(in) :: n                !! parameters
        real(wp), intent(in) :: x(n)            !! the point
        real(wp), intent(in) :: lower(n), upper(n)
        logical :: meets

        integer :: j

        meets = .false.
        do j = 1, n
            if (x(j) <= lower(j) .or. x(j) >= upper(j)) meets = .true.
        end do
    end function meets_bounds

    !> Find the parameters that stay where they are.
    pure subroutine find_held(n, x, lower, upper, gradient, held)
        integer, intent(in) :: n                !! parameters
        real(wp), intent(in) :: x(n)            !! the point
        real(wp), intent(in) :: lower(n), upper(n)
        real(wp), intent(in) :: gradient(n)     !! Jᵀ f, of any scale
        logical, intent(out) :: held(n)

        held = is_held(x, lower, upper, gradient)
    end subroutine find_held

    !> Find the Levenberg-Marquardt step of the free parameters, and follow the bounds it meets.
    !>
    !> From where it stands, the step goes towards the minimum of ‖f + J p‖² + par ‖D p‖² up to the first bound;
    !> what meets one stays there, and the others go on towards their minimum. The quadratic falls along every piece.
    pure subroutine bounded_step(n, x, lower, upper, held, r, qtf, ipvt, diag, delta, par, step, trial, reached, &
                                 rows, triangle, s)
        integer, intent(in) :: n                            !! parameters
        real(wp), intent(in) :: x(n)                        !! the point, inside the box
        real(wp), intent(in) :: lower(n), upper(n)
        logical, intent(in) :: held(n)
        real(wp), intent(in) :: r(n, n)                     !! triangle of J P = Q R
        real(wp), intent(in) :: qtf(n)                      !! first n entries of Qᵀ f
        integer, intent(in) :: ipvt(n)                      !! the permutation P
        real(wp), intent(in) :: diag(n)                     !! scaling D, positive where a parameter is not fixed
        real(wp), intent(in) :: delta                       !! bound on the length of the step where no bound is met
        real(wp), intent(inout) :: par                      !! the damping parameter
        real(wp), intent(out) :: step(n)
        real(wp), intent(out) :: trial(n)                   !! x + step, and the bound where one is reached
        logical, intent(out) :: reached(n)                  !! whether the step leads to a bound
        real(wp), intent(out) :: rows(n*(n + 1))            !! work: free columns
        real(wp), intent(out) :: triangle(n*n)              !! work: their triangle
        real(wp), intent(out) :: s(n*(n + 1))               !! work: damped triangle

        real(wp) :: current(n), target(n), bound(n), fraction
        logical :: free(n), met(n)
        integer :: pass

        free = .not. held
        reached = .false.
        current = 0.0_wp
        target = 0.0_wp
        bound = 0.0_wp
        if (any(free)) then
            call solve_free(n, free, current, r, qtf, ipvt, diag, .true., delta, par, target, rows, triangle, s)
        end if
        do pass = 1, n
            call find_first_bound(n, x, lower, upper, free, current, target, bound, fraction, met)
            if (.not. any(met)) exit
            if (fraction > 0.0_wp) then
                where (free) current = current + fraction*(target - current)
            end if
            where (met) current = bound - x
            reached = reached .or. met
            free = free .and. .not. met
            target = current
            if (.not. any(free)) exit
            call solve_free(n, free, current, r, qtf, ipvt, diag, .false., delta, par, target, rows, triangle, s)
        end do
        step = target
        trial = merge(bound, x + step, reached)
    end subroutine bounded_step

    !> Minimise ‖f + J p‖² + par ‖D p‖² over the free entries of p; the others have their values.
    !>
    !> Where all are free and par is to be found, this is MINPACK's step.
    pure subroutine solve_free(n, free, current, r, qtf, ipvt, diag, find_par, delta, par, target, rows, triangle, s)
        integer, intent(in) :: n
        logical, intent(in) :: free(n)                      !! at least one of them
        real(wp), intent(in) :: current(n)                  !! values of the others
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: diag(n)
        logical, intent(in) :: find_par                     !! whether par is to be found, or kept
        real(wp), intent(in) :: delta
        real(wp), intent(inout) :: par
        real(wp), intent(inout) :: target(n)                !! out: p
        real(wp), intent(out) :: rows(n*(n + 1)), triangle(n*n), s(n*(n + 1))

        real(wp) :: z(n), scale(n), right(n), wa1(n), wa2(n), wa3(n), norms(n)
        integer :: pivots(n), columns(n), count_free, j

        if (all(free) .and. find_par) then
            call lmpar(n, r, ipvt, diag, qtf, delta, par, z, s, wa1, wa2, wa3)
            target = -z
            return
        end if
        call gather_free(n, free, current, r, qtf, ipvt, count_free, columns, rows)
        call factor_rows(n, count_free, rows, triangle, right, pivots, norms, wa1, wa2)
        do j = 1, count_free
            scale(j) = diag(columns(j))
        end do
        if (find_par) then
            call lmpar(count_free, triangle, pivots, scale, right, delta, par, z, s, wa1, wa2, wa3)
        else
            scale(1:count_free) = sqrt(par)*scale(1:count_free)
            call qrsolv(count_free, triangle, pivots, scale, right, z, s, wa1, wa2)
        end if
        do j = 1, count_free
            target(columns(j)) = -z(j)
        end do
    end subroutine solve_free

    !> Free columns of R, in the order of the parameters, and what the others leave of the right-hand side.
    pure subroutine gather_free(n, free, current, r, qtf, ipvt, count_free, columns, rows)
        integer, intent(in) :: n
        logical, intent(in) :: free(n)
        real(wp), intent(in) :: current(n)
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        integer, intent(out) :: count_free
        integer, intent(out) :: columns(n)                  !! parameters of the columns
        real(wp), intent(out) :: rows(n, n + 1)             !! columns, right-hand side after the last

        integer :: places(n), j, k

        do k = 1, n
            places(ipvt(k)) = k
        end do
        count_free = 0
        columns = 0
        do j = 1, n
            if (.not. free(j)) cycle
            count_free = count_free + 1
            columns(count_free) = j
            rows(1:places(j), count_free) = r(1:places(j), places(j))
            rows(places(j) + 1:n, count_free) = 0.0_wp
        end do
        rows(:, count_free + 1) = qtf
        do j = 1, n
            if (free(j) .or. current(j) == 0.0_wp) cycle
            k = places(j)
            rows(1:k, count_free + 1) = rows(1:k, count_free + 1) + r(1:k, k)*current(j)
        end do
    end subroutine gather_free

    !> Find the bounds that come first on the way from `current` to `target`.
    pure subroutine find_first_bound(n, x, lower, upper, free, current, target, bound, fraction, met)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n), lower(n), upper(n)
        logical, intent(in) :: free(n)
        real(wp), intent(in) :: current(n), target(n)
        real(wp), intent(inout) :: bound(n)                 !! out: of parameters that leave the box, the one they cross
        real(wp), intent(out) :: fraction                   !! of the way
        logical, intent(out) :: met(n)                      !! which parameters meet theirs there

        real(wp) :: fractions(n)
        integer :: j

        fraction = 1.0_wp
        fractions = 2.0_wp
        do j = 1, n
            if (.not. free(j)) cycle
            if (x(j) + target(j) < lower(j)) then
                bound(j) = lower(j)
            else if (x(j) + target(j) > upper(j)) then
                bound(j) = upper(j)
            else
                cycle
            end if
            ! Rounding may put a point that has just been moved there a little beyond.
            fractions(j) = (bound(j) - x(j) - current(j))/(target(j) - current(j))
            if (.not. fractions(j) > 0.0_wp) fractions(j) = 0.0_wp
            if (fractions(j) > 1.0_wp) fractions(j) = 1.0_wp
            if (fractions(j) < fraction) fraction = fractions(j)
        end do
        met = fractions <= fraction
    end subroutine find_first_bound

    !> Let go only some of the way what a step leads to a bound for the first, second or third time in a row.
    !>
    !> Who runs into a wall at the first try takes others along: where an amplitude is 0, centre and width are lost.
    !> The fractions are the best of seven sets that were tried.
    pure subroutine hesitate(n, x, reached, hits, step, trial, hesitant)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        logical, intent(in) :: reached(n)                   !! whether the step leads to a bound
        real(wp), intent(in) :: hits(n)                     !! how often it did before
        real(wp), intent(inout) :: step(n), trial(n)
        logical, intent(out) :: hesitant                    !! whether the step was shortened

        real(wp), parameter :: fractions(3) = [0.7_wp, 0.9_wp, 0.97_wp]
        integer :: j

        hesitant = .false.
        do j = 1, n
            if (.not. reached(j) .or. step(j) == 0.0_wp .or. hits(j) >= size(fractions)) cycle
            step(j) = fractions(int(hits(j)) + 1)*step(j)
            trial(j) = x(j) + step(j)
            hesitant = .true.
        end do
    end subroutine hesitate

    !> Count the accepted steps in a row that led to a bound.
    pure subroutine count_hits(n, reached, hits)
        integer, intent(in) :: n
        real(wp), intent(in) :: reached(n)                  !! 1 where this one did, else 0
        real(wp), intent(inout) :: hits(n)

        hits = (hits + 1.0_wp)*reached
    end subroutine count_hits

    !> A difference step that stays inside the box: forward, else backward, else towards the farther bound.
    elemental subroutine box_difference(x, lower, upper, step, h, shifted)
        real(wp), intent(in) :: x, lower, upper             !! lower < upper
        real(wp), intent(in) :: step                        !! the step where there are no bounds, > 0
        real(wp), intent(out) :: h                          !! the step to take
        real(wp), intent(out) :: shifted                    !! where it leads

        h = step
        shifted = x + step
        if (.not. shifted > upper) return
        h = -step
        shifted = x - step
        if (.not. shifted < lower) return
        h = merge(upper - x, lower - x, upper - x >= x - lower)
        shifted = merge(upper, lower, upper - x >= x - lower)
    end subroutine box_difference

    !> The same for the relative error of the residuals; no step where the bounds leave no room.
    elemental subroutine difference_in_box(x, lower, upper, epsfcn, h, shifted)
        real(wp), intent(in) :: x, lower, upper
        real(wp), intent(in) :: epsfcn                      !! relative error of the residuals
        real(wp), intent(out) :: h                          !! the step to take, 0 of a fixed parameter
        real(wp), intent(out) :: shifted                    !! where it leads

        h = 0.0_wp
        shifted = x
        if (lower < upper) call box_difference(x, lower, upper, difference_step(x, epsfcn), h, shifted)
    end subroutine difference_in_box

end module active
