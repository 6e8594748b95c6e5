! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What the drivers make of callbacks that stop, are shown progress, fit something themselves, or are not finite.
program test_callbacks
    use kinds, only: wp, info_trial_not_finite, info_start_not_finite, info_jacobian_not_finite
    use fits, only: fit_options, fit_outcome, fit_with_jacobian, fit_by_differences
    use problems, only: residuals, starting_point
    use recorded_problems, only: start_record, problem_residuals, problem_with_jacobian, residual_calls, &
        jacobian_calls, print_calls, jacobian_prints, print_agreed, stop_at_residuals, stop_at_jacobian, &
        stop_at_print, stop_code
    use awkward_models, only: logarithm, logarithm_with_jacobian, wall, wall_with_jacobian, growth, &
        growth_with_jacobian, broken_jacobian, jacobians_before_nan, not_finite_calls, &
        nested_problem, start_nesting, nested, nested_with_jacobian, inner_fits, inner_fits_agreed
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    ! Stops and prints are tried on Bard's problem: 6 evaluations with 5 Jacobians, or 21 by differences.
    integer, parameter :: bard = 8, m = 15, n = 3

    call check_stops()
    call check_printing()
    call check_nesting()
    call check_not_finite_at_start()
    call check_not_finite_on_the_way()
    call check_jacobian_not_finite()
    call check_wall()
    call finish()

contains

    function lmder_fit(options) result(fit)
        type(fit_options), intent(in) :: options
        type(fit_outcome) :: fit

        fit = fit_with_jacobian(problem_with_jacobian, m, starting_point(bard, n, 1.0_wp), options)
    end function lmder_fit

    function lmdif_fit(options) result(fit)
        type(fit_options), intent(in) :: options
        type(fit_outcome) :: fit

        fit = fit_by_differences(problem_residuals, m, starting_point(bard, n, 1.0_wp), options)
    end function lmdif_fit

    !> A callback that sets iflag negative ends the fit at once, with that code and the best point so far.
    subroutine check_stops()
        integer :: k

        do k = 1, 5
            call start_record(bard)
            stop_at_residuals = k
            call check_stopped(lmder_fit(fit_options()), k > 1, "lmder, stopped at residuals "//digits_of(k))
            call check_equal(residual_calls, k, "lmder, stopped at residuals: evaluations")
            call start_record(bard)
            stop_at_jacobian = k
            call check_stopped(lmder_fit(fit_options()), .true., "lmder, stopped at Jacobian "//digits_of(k))
            call check_equal(jacobian_calls, k, "lmder, stopped at Jacobian: evaluations")
            call start_record(bard)
            stop_at_print = k
            call check_stopped(lmder_fit(fit_options(nprint=1)), .true., "lmder, stopped at print "//digits_of(k))
            call check_equal(jacobian_calls, k, "lmder, stopped at print: Jacobians before it")
            call start_record(bard)
            stop_at_print = k
            call check_stopped(lmdif_fit(fit_options(nprint=1)), .true., "lmdif, stopped at print "//digits_of(k))
        end do
        do k = 1, 20
            call start_record(bard)
            stop_at_residuals = k
            call check_stopped(lmdif_fit(fit_options()), k > 1, "lmdif, stopped at residuals "//digits_of(k))
            call check_equal(residual_calls, k, "lmdif, stopped at residuals: evaluations")
        end do
    end subroutine check_stops

    subroutine check_stopped(fit, evaluated, what)
        type(fit_outcome), intent(in) :: fit
        logical, intent(in) :: evaluated            !! whether residuals were obtained before the stop
        character(*), intent(in) :: what

        real(wp) :: start(n)

        start = starting_point(bard, n, 1.0_wp)
        call check_equal(fit%info, stop_code, what//": info")
        if (evaluated) then
            call check(all(fit%fvec == residuals(bard, m, fit%x)), what//": fvec is f(x) to the bit")
            call check_at_most(norm2(fit%fvec), norm2(residuals(bard, m, start)), what//": ‖f‖ after that at the start")
        else
            call check(all(fit%x == start), what//": x stays")
        end if
    end subroutine check_stopped

    !> Printing shows f(x) at the start, once every nprint iterations, and at the end; it changes nothing.
    subroutine check_printing()
        integer, parameter :: every(*) = [1, 2, 3, 1000]
        type(fit_outcome) :: silent, shown
        integer :: k

        call start_record(bard)
        silent = lmder_fit(fit_options())
        call check_equal(print_calls, 0, "lmder, nprint of 0: prints")
        do k = 1, size(every)
            call start_record(bard)
            shown = lmder_fit(fit_options(nprint=every(k)))
            ! As many iterations as Jacobians, shown from the first on, and the end.
            call check_equal(print_calls, (shown%njev + every(k) - 1)/every(k) + 1, &
                             "lmder, nprint of "//digits_of(every(k))//": prints")
            call check(print_agreed, "lmder, nprint: fvec is f(x) whenever it is shown")
            call check_equal(jacobian_prints, print_calls - 1, "lmder, nprint: fjac is the Jacobian but at the end")
            call check_same(shown, silent, "lmder, nprint of "//digits_of(every(k)))
        end do

        call start_record(bard)
        silent = lmdif_fit(fit_options())
        call check_equal(print_calls, 0, "lmdif, nprint of 0: prints")
        do k = 1, size(every)
            call start_record(bard)
            shown = lmdif_fit(fit_options(nprint=every(k)))
            ! An evaluation at the start and, as no step is refused, n differences and a step an iteration.
            call check_equal(print_calls, ((shown%nfev - 1)/(n + 1) + every(k) - 1)/every(k) + 1, &
                             "lmdif, nprint of "//digits_of(every(k))//": prints")
            call check(print_agreed, "lmdif, nprint: fvec is f(x) whenever it is shown")
            call check_same(shown, silent, "lmdif, nprint of "//digits_of(every(k)))
        end do
    end subroutine check_printing

    subroutine check_same(one, other, what)
        type(fit_outcome), intent(in) :: one, other
        character(*), intent(in) :: what

        call check(all(one%x == other%x) .and. all(one%fvec == other%fvec), what//": same solution")
        call check_equal(one%info, other%info, what//": info")
        call check(one%nfev == other%nfev .and. one%njev == other%njev, what//": same counts")
    end subroutine check_same

    !> A fit made inside the callback of another, by the same driver, disturbs neither.
    subroutine check_nesting()
        integer, parameter :: m_nested = 10, n_nested = 3
        type(fit_outcome) :: alone, outer
        real(wp) :: start(n_nested)

        start = starting_point(nested_problem, n_nested, 1.0_wp)
        call start_record(nested_problem)
        alone = fit_with_jacobian(problem_with_jacobian, m_nested, start, fit_options())
        call start_nesting(alone)
        outer = fit_with_jacobian(nested_with_jacobian, m_nested, start, fit_options())
        call check_same(outer, alone, "lmder around lmder")
        call check_equal(inner_fits, outer%nfev + outer%njev, "lmder around lmder: inner fits")
        call check(inner_fits_agreed, "lmder inside lmder: same fit as alone")

        alone = fit_by_differences(problem_residuals, m_nested, start, fit_options())
        call start_nesting(alone)
        outer = fit_by_differences(nested, m_nested, start, fit_options())
        call check_same(outer, alone, "lmdif around lmdif")
        call check_equal(inner_fits, outer%nfev, "lmdif around lmdif: inner fits")
        call check(inner_fits_agreed, "lmdif inside lmdif: same fit as alone")
    end subroutine check_nesting

    !> NaN or Inf at the start cannot be stepped away from.
    subroutine check_not_finite_at_start()
        type(fit_options) :: options

        call check_refused(fit_with_jacobian(logarithm_with_jacobian, 2, [-1.0_wp], options), -1.0_wp, "lmder, NaN")
        call check_refused(fit_by_differences(logarithm, 2, [-1.0_wp], options), -1.0_wp, "lmdif, NaN")
        call check_refused(fit_with_jacobian(growth_with_jacobian, 1, [200.0_wp], options), 200.0_wp, "lmder, Inf")
        call check_refused(fit_by_differences(growth, 1, [200.0_wp], options), 200.0_wp, "lmdif, Inf")
    end subroutine check_not_finite_at_start

    subroutine check_refused(fit, start, what)
        type(fit_outcome), intent(in) :: fit
        real(wp), intent(in) :: start
        character(*), intent(in) :: what

        call check_equal(fit%info, info_start_not_finite, what//" at the start: info")
        call check_equal(fit%nfev, 1, what//" at the start: nfev")
        call check(fit%njev <= 0, what//" at the start: no Jacobian")
        call check(fit%x(1) == start, what//" at the start: x stays")
    end subroutine check_refused

    !> Steps onto NaN or Inf are taken back and shortened, and the fit converges.
    subroutine check_not_finite_on_the_way()
        call start_counting()
        call check_solved(fit_with_jacobian(logarithm_with_jacobian, 2, [10.0_wp], fit_options()), 1.0_wp, "lmder, NaN")
        call start_counting()
        call check_solved(fit_by_differences(logarithm, 2, [10.0_wp], fit_options()), 1.0_wp, "lmdif, NaN")
        call start_counting()
        call check_solved(fit_with_jacobian(growth_with_jacobian, 1, [-5.0_wp], fit_options()), 1.0_wp, "lmder, Inf")
        call start_counting()
        call check_solved(fit_by_differences(growth, 1, [-5.0_wp], fit_options()), 1.0_wp, "lmdif, Inf")
    end subroutine check_not_finite_on_the_way

    subroutine start_counting()
        not_finite_calls = 0
    end subroutine start_counting

    !> Both models have no residual at their minimum, where convergence is quadratic.
    subroutine check_solved(fit, solution, what)
        type(fit_outcome), intent(in) :: fit
        real(wp), intent(in) :: solution
        character(*), intent(in) :: what

        call check(not_finite_calls > 0, what//" on the way: met")
        call check(fit%info >= 1 .and. fit%info <= 4, what//" on the way: solved, info is "//digits_of(fit%info))
        call check_at_most(abs(fit%x(1) - solution), 1.0e-12_wp, what//" on the way: error of x")
    end subroutine check_solved

    !> A Jacobian that is not finite ends the fit at the point it was asked for.
    subroutine check_jacobian_not_finite()
        type(fit_outcome) :: fit
        integer :: good

        do good = 0, 3
            jacobians_before_nan = good
            fit = fit_with_jacobian(broken_jacobian, 2, starting_point(4, 2, 1.0_wp), fit_options())
            call check_equal(fit%info, info_jacobian_not_finite, "NaN in the Jacobian: info")
            call check_equal(fit%njev, good + 1, "NaN in the Jacobian: njev")
            call check(all(fit%fvec == residuals(4, 2, fit%x)), "NaN in the Jacobian: fvec is f(x)")
        end do
    end subroutine check_jacobian_not_finite

    !> A fit that runs against the end of its model is not called solved.
    subroutine check_wall()
        call start_counting()
        call check_stuck(fit_with_jacobian(wall_with_jacobian, 1, [2.0_wp], fit_options()), "lmder")
        call start_counting()
        call check_stuck(fit_by_differences(wall, 1, [2.0_wp], fit_options()), "lmdif")
    end subroutine check_wall

    subroutine check_stuck(fit, driver)
        type(fit_outcome), intent(in) :: fit
        character(*), intent(in) :: driver

        call check(not_finite_calls > 0, driver//", wall: met")
        call check_equal(fit%info, info_trial_not_finite, driver//", wall: info")
        call check(fit%x(1) >= 1.0_wp .and. fit%fvec(1) == fit%x(1), driver//", wall: best point is inside")
    end subroutine check_stuck

end program test_callbacks
