! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Models over evenly spaced predictors against their formulas in quadruple precision, and which predictors count as
!> evenly spaced.
program test_spacing
    use, intrinsic :: iso_fortran_env, only: real128
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_negative_inf, ieee_is_finite
    use kinds, only: wp, eps
    use lane_kinds, only: lane_rows, lane_pattern
    use lane_widths_baseline, only: width
    use lane_patterns, only: step_of, run
    use lane_models_baseline, only: evaluate
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    integer, parameter :: gaussian = 1, exponential = 4, biexponential = 5, damped_sine = 9, sine = 22, harmonics = 23
    integer, parameter :: parameters(23) = [4, 0, 0, 3, 5, 0, 0, 0, 5, spread(0, 1, 12), 4, 7]
    real(real128), parameter :: circle = 6.28318530717958647692528676655900577_real128

    call random_init(repeatable=.true., image_distinct=.false.)
    call check_steps()
    call check_accuracy(gaussian, 2*run, 24.0_wp)
    call check_accuracy(gaussian, lane_rows, 12.0_wp)
    call check_accuracy(exponential, 2*run + 1, 8.0_wp)
    call check_accuracy(exponential, lane_rows, 8.0_wp)
    call check_accuracy(biexponential, lane_rows - 1, 8.0_wp)
    ! Angles of up to 31, 94 and twice 31 are rounded three times.
    call check_accuracy(damped_sine, lane_rows, 48.0_wp)
    call check_accuracy(sine, lane_rows, 141.0_wp)
    call check_accuracy(harmonics, lane_rows, 94.0_wp)
    call check_company(gaussian)
    call check_company(exponential)
    call check_company(biexponential)
    call check_company(damped_sine)
    call check_company(sine)
    call check_company(harmonics)
    call check_far_away()
    call finish()

contains

    !> Rows from a start on, with what `linspace` of NumPy rounds.
    pure function even_rows(start, step) result(x)
        real(wp), intent(in) :: start, step
        real(wp) :: x(lane_rows)

        integer :: i

        x = [(start + i*step, i = 0, lane_rows - 1)]
    end function even_rows

    !> The steps of all lanes.
    pure function steps_of(rows, x) result(step)
        integer, intent(in) :: rows
        real(wp), intent(in) :: x(width, lane_rows)
        real(wp) :: step(width)

        integer :: l

        step = [(step_of(rows, x(l, :)), l = 1, width)]
    end function steps_of

    !> A pattern of which steps are known.
    pure function pattern_of(step) result(pattern)
        real(wp), intent(in) :: step(width)
        type(lane_pattern) :: pattern

        pattern%step(:width) = step
    end function pattern_of

    subroutine check_steps()
        real(wp) :: x(width, lane_rows), step(width)
        integer :: l

        do l = 1, width
            x(l, :) = even_rows(10.0_wp*l, 0.1_wp*(l - 2.5_wp))
        end do
        step = steps_of(lane_rows, x)
        do l = 1, width
            call check_at_most(abs(step(l)/(0.1_wp*(l - 2.5_wp)) - 1.0_wp), 1.0e-12_wp, "step of lane "//digits_of(l))
        end do
        step = steps_of(2*run - 1, x)
        call check(all(step == 0.0_wp), "few rows are not worth it")
        x(1, 20) = x(1, 20) + 1.0e-8_wp
        x(2, lane_rows) = ieee_value(1.0_wp, ieee_quiet_nan)
        x(3, 9) = huge(1.0_wp)
        x(4, :) = 7.0_wp
        x(5, 1) = ieee_value(1.0_wp, ieee_negative_inf)
        step = steps_of(lane_rows, x)
        call check(all(step(1:5) == 0.0_wp), "rows that are not evenly spaced")
        call check(all(step(6:) /= 0.0_wp), "their neighbours are")
    end subroutine check_steps

    !> Random parameters that suit rows from 3 to 5, and peaks three thousand further on, where rows are rounded to a
    !> millionth of a millionth.
    subroutine make_parameters(model, p)
        integer, intent(in) :: model
        real(wp), intent(out) :: p(width, parameters(model))

        call random_number(p)
        if (model == gaussian) then
            p(:, 2) = 3002.0_wp + 4.0_wp*p(:, 2)
            p(:, 3) = 0.1_wp + p(:, 3)
        else
            p(:, 2) = 4.0_wp*p(:, 2) - 1.0_wp
        end if
    end subroutine make_parameters

    !> The largest error of values and derivatives, relative to what these are at most. An exponential is off by half of
    !> eps for each unit of its exponent, and the exponents of the factors grow with the step over the width of a peak.
    subroutine check_accuracy(model, rows, bound)
        integer, intent(in) :: model, rows
        real(wp), intent(in) :: bound

        real(wp) :: x(width, lane_rows), step(width), p(width, parameters(model))
        real(wp) :: f(width, lane_rows), jac(width, lane_rows, parameters(model)), worst
        real(real128) :: exact(parameters(model) + 1)
        integer :: trial, i, l

        worst = 0.0_wp
        do trial = 1, 200
            do l = 1, width
                x(l, :) = even_rows(merge(3003.0_wp, 3.0_wp, model == gaussian), 2.0_wp/(rows - 1))
            end do
            step = steps_of(rows, x)
            call check(all(step /= 0.0_wp), "evenly spaced rows")
            call make_parameters(model, p)
            call evaluate(model, rows, 1, parameters(model), x, p, f, jac, pattern_of(step))
            do i = 1, rows
                do l = 1, width
                    exact = formula(model, real(x(l, i), real128), real(p(l, :), real128))
                    worst = max(worst, real(maxval(abs([jac(l, i, :), f(l, i)] - exact)/magnitude(model, p(l, :))), wp))
                end do
            end do
        end do
        call check_at_most(worst, bound*eps, "error of model "//digits_of(model)//" at rows "//digits_of(rows))
    end subroutine check_accuracy

    !> What values and derivatives are at most, about.
    pure function magnitude(model, p)
        integer, intent(in) :: model
        real(wp), intent(in) :: p(:)
        real(wp) :: magnitude(size(p) + 1)

        if (model == gaussian) then
            magnitude = [1.0_wp, p(1)/p(3), p(1)/p(3), 1.0_wp, 1.0_wp]
        else if (model == exponential) then
            magnitude = [1.0_wp, 5.0_wp, 1.0_wp, 1.0_wp]*max(1.0_wp, exp(-5.0_wp*p(2)))
        else if (model == biexponential) then
            magnitude = [1.0_wp, 5.0_wp, 1.0_wp, 5.0_wp, 1.0_wp, 2.0_wp]*max(1.0_wp, exp(-5.0_wp*p(2)))
        else if (model == damped_sine) then
            magnitude = [1.0_wp, 5.0_wp, 31.0_wp, 1.0_wp, 1.0_wp, 2.0_wp]*max(1.0_wp, exp(-5.0_wp*p(2)))
        else if (model == sine) then
            magnitude = [1.0_wp, 31.0_wp, 1.0_wp, 1.0_wp, 2.0_wp]
        else
            magnitude = [1.0_wp, 5.0_wp, 150.0_wp, 1.0_wp, 1.0_wp, 1.0_wp, 1.0_wp, 5.0_wp]
        end if
    end function magnitude

    !> Derivatives and value.
    pure function formula(model, x, p) result(exact)
        integer, intent(in) :: model
        real(real128), intent(in) :: x, p(:)
        real(real128) :: exact(size(p) + 1)

        real(real128) :: e, z, wave, slope

        if (model == gaussian) then
            z = (x - p(2))/p(3)
            e = exp(-0.5_real128*z*z)
            exact = [e, p(1)*e*z/p(3), p(1)*e*z*z/p(3), 1.0_real128, p(1)*e + p(4)]
        else if (model == exponential) then
            e = exp(-p(2)*x)
            exact = [e, -p(1)*x*e, 1.0_real128, p(1)*e + p(3)]
        else if (model == biexponential) then
            e = exp(-p(2)*x)
            z = exp(-p(4)*x)
            exact = [e, -p(1)*x*e, z, -p(3)*x*z, 1.0_real128, p(1)*e + p(3)*z + p(5)]
        else if (model == damped_sine) then
            e = exp(-p(2)*x)
            wave = e*sin(circle*p(3)*x + p(4))
            slope = p(1)*e*cos(circle*p(3)*x + p(4))
            exact = [wave, -p(1)*x*wave, slope*circle*x, slope, 1.0_real128, p(1)*wave + p(5)]
        else if (model == sine) then
            wave = sin(circle*p(2)*x + p(3))
            slope = p(1)*cos(circle*p(2)*x + p(3))
            exact = [wave, slope*circle*x, slope, 1.0_real128, p(1)*wave + p(4)]
        else
            z = circle*p(3)*x
            exact = [1.0_real128, x, circle*x*(p(5)*cos(z) - p(4)*sin(z) + 2*p(7)*cos(2*z) - 2*p(6)*sin(2*z)), cos(z), &
                     sin(z), cos(2*z), sin(2*z), &
                     p(1) + p(2)*x + p(4)*cos(z) + p(5)*sin(z) + p(6)*cos(2*z) + p(7)*sin(2*z)]
        end if
    end function formula

    !> A lane has the same numbers whatever the others are: where all are suited, and where some are not.
    subroutine check_company(model)
        integer, intent(in) :: model

        real(wp) :: x(width, lane_rows), step(width), p(width, parameters(model))
        real(wp) :: f(width, lane_rows), jac(width, lane_rows, parameters(model))
        real(wp) :: other_f(width, lane_rows), other_jac(width, lane_rows, parameters(model))
        integer :: l

        do l = 1, width
            x(l, :) = even_rows(merge(3003.0_wp, 3.0_wp, model == gaussian), 0.05_wp)
        end do
        step = steps_of(lane_rows, x)
        call make_parameters(model, p)
        call evaluate(model, lane_rows, 1, parameters(model), x, p, f, jac, pattern_of(step))
        x(1, 3) = x(1, 3) + 0.001_wp
        p(2, parameters(model) - 1) = 0.01_wp       ! a peak narrower than the spacing
        p(3, 2) = -1.0e4_wp                         ! a decay that grows to infinity
        p(2, 3) = 1.0e7_wp                          ! a wave of which rows see nothing
        step = steps_of(lane_rows, x)
        call evaluate(model, lane_rows, 1, parameters(model), x, p, other_f, other_jac, pattern_of(step))
        call check(all(f(4:, :) == other_f(4:, :)), "values in company")
        call check(all(jac(4:, :, :) == other_jac(4:, :, :)), "derivatives in company")
        call evaluate(model, lane_rows, 1, parameters(model), x, p, f, jac)
        call check(all(f(1, :) == other_f(1, :)), "values over uneven rows are those without steps")
        call check(all(jac(1, :, :) == other_jac(1, :, :)), "derivatives over uneven rows are those without steps")
        call check(all(f(3, :) == other_f(3, :)), "values that overflow, too")
    end subroutine check_company

    !> Far from a peak, and long after a decay, nothing is left, and all is finite.
    subroutine check_far_away()
        real(wp) :: x(width, lane_rows), step(width), p(width, 4), f(width, lane_rows), jac(width, lane_rows, 4)
        integer :: l

        do l = 1, width
            x(l, :) = even_rows(0.0_wp, 1.0_wp)
            p(l, :) = [2.0_wp, 60.0_wp*10.0_wp**(10*(l - 1)), 1.0_wp, 0.5_wp]
        end do
        step = steps_of(lane_rows, x)
        call evaluate(gaussian, lane_rows, 1, 4, x, p, f, jac, pattern_of(step))
        call check(all(ieee_is_finite(f)) .and. all(ieee_is_finite(jac)), "far from a peak all is finite")
        call check(all(f(2:, :) == 0.5_wp) .and. all(jac(2:, :, :3) == 0.0_wp), "far from a peak nothing is left")
        do l = 1, width
            p(l, :3) = [2.0_wp, 9.0_wp, 0.5_wp]
            x(l, :) = even_rows(80.0_wp*10.0_wp**(20*(l - 1)), 1.0_wp)
        end do
        step = steps_of(lane_rows, x)
        call evaluate(exponential, lane_rows, 1, 3, x, p(:, :3), f, jac(:, :, :3), pattern_of(step))
        call check(all(f == 0.5_wp) .and. all(jac(:, :, :2) == 0.0_wp), "long after a decay nothing is left")
    end subroutine check_far_away

end program test_spacing
